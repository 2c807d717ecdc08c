from nonneg.cli.options import AsJson


def recommend(as_json: AsJson = False) -> None:
    """Rec"""
