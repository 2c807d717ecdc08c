from nonneg.cli.options import AsJson


def demo(as_json: AsJson = False) -> None:
    """The example of the talk"""
