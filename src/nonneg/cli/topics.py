"""`nonneg topics` and `topics-of`: what documents are about, in groups and by label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonneg.cli.console import Work, answer, check_output, note, wrote
from nonneg.cli.options import AsJson, Force, Report, Seed, Threads
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.topic_labels import TopicClassifier
    from nonneg.apps.topics import TopicModel
    from nonneg.io.documents import Documents

__all__ = ["topics", "topics_of"]

_MANY_UNKNOWN = 0.1  # of the documents: the words that are left do not do for them

TextColumn = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="The column of the texts.")
]


def topics(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A folder of texts, .txt (a document a line), CSV, TSV, JSON (each also .gz) or "
            "Parquet.",
        ),
    ],
    n_topics: Annotated[
        str, typer.Option("-k", "--topics", metavar="K|auto", help="How many topics to find.")
    ] = "10",
    text: TextColumn = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Learn to tell this column from the topics."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Follow the topics through these dates.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Labels are tags with this between them.")
    ] = None,
    stop_words: Annotated[
        str,
        typer.Option(
            metavar="auto|english|none|FILE", help="Words to leave out; FILE has one a line."
        ),
    ] = "auto",
    bigrams: Annotated[
        bool, typer.Option("--bigrams", help="Count pairs of neighbouring words, too.")
    ] = False,
    min_df: Annotated[
        str, typer.Option(metavar="N", help="Leave out words in fewer documents (or share).")
    ] = "auto",
    max_df: Annotated[
        str, typer.Option(metavar="N", help="Leave out words in more documents (or share).")
    ] = "auto",
    max_words: Annotated[
        int | None,
        typer.Option(metavar="N", help="Keep the most frequent words.", show_default="all", min=1),
    ] = None,
    weighting: Annotated[
        str, typer.Option(metavar="auto|tfidf|counts", help="What stands in the matrix.")
    ] = "auto",
    loss: Annotated[
        str, typer.Option(metavar="NAME", help="frobenius, or kullback-leibler (PLSA).")
    ] = "frobenius",
    look_for: Annotated[
        list[str] | None,
        typer.Option("--look-for", metavar="NAME=WORDS", help="A topic to find: sport=goal,match."),
    ] = None,
    runs: Annotated[
        int, typer.Option(metavar="N", help="Runs whose consensus is kept.", min=1)
    ] = 10,
    seed: Seed = 0,
    threads: Threads = None,
    top: Annotated[int, typer.Option(metavar="N", help="Words to show of each topic.", min=1)] = 10,
    examples: Annotated[
        int, typer.Option(metavar="N", help="Typical documents of each.", min=0)
    ] = 1,
    tree: Annotated[
        bool, typer.Option("--tree", help="Show how topics split from 2 to K.")
    ] = False,
    documents: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write each document's topics: .csv, .tsv, .json."),
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the words of the topics: .csv, .tsv, .json."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="MODEL", help="Save the model here."),
    ] = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find what documents are about; with --label, learn to tell a column.

    Example: nonneg topics mail.csv -k 10 --label spam -o mail.nonneg
    """
    number = _number(n_topics)
    for path_out in (documents, words):
        if path_out is not None:
            _check_rows(path_out, force, path)
    check_output(output, force, path)
    check_report(report, force, path)
    with Work() as work:
        work.phase("loading")
        from nonneg.apps.topics import TopicModel

        data = _read(work, path, text, label, time, separator)
        model = TopicModel(
            number,
            loss=loss,  # type: ignore[arg-type]
            weighting=weighting,  # type: ignore[arg-type]
            stop_words=_stop_words(stop_words),  # type: ignore[arg-type]
            bigrams=bigrams,
            min_df=_limit("--min-df", min_df),  # type: ignore[arg-type]
            max_df=_limit("--max-df", max_df),  # type: ignore[arg-type]
            max_words=max_words,
            seeds=dict(map(_seed_topic, look_for)) if look_for else None,
            n_runs=runs,
            random_state=seed,
            n_threads=threads,
        )
        facts = {"source": str(path), **_found(work, model, data, label, top, examples)}
        fitted = facts.pop("fitted")
        topic_model = getattr(fitted, "topics_", fitted)
        if time is not None and data.times is not None:
            from nonneg.report.topics import time_facts

            facts["periods"] = time_facts(topic_model, data.times)
        if tree:
            from nonneg.report.topics import flow_facts

            work.phase("growing the tree")
            facts["tree"] = flow_facts(topic_model)
        work.phase("writing")
        written = _write(topic_model, fitted, documents, words, output, force)
        facts["saved"] = None if output is None else str(output)
    from nonneg.cli import draw_topics

    answer(facts, as_json, lambda: draw_topics.topics(facts))
    write_report(fitted, report, force, as_json)
    for file in written:
        wrote(file, as_json)
    if facts["unknown"] > _MANY_UNKNOWN * facts["n_documents"]:
        note(
            f"{facts['unknown']:,} of {facts['n_documents']:,} documents have no known word · add "
            "--min-df 2, or 1, to know rarer words"
        )
    if output is None:
        note("nothing was saved · add -o MODEL to keep the model")


def topics_of(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What nonneg topics -o saved.")],
    path: Annotated[
        Path, typer.Argument(metavar="NEWDOCS", help="New documents, as nonneg topics reads them.")
    ],
    text: TextColumn = None,
    n: Annotated[int, typer.Option("-n", metavar="N", help="Documents to show.", min=0)] = 20,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write a row for each: .csv, .tsv, .json."
        ),
    ] = None,
    threads: Threads = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Tell the topics of new documents, and their labels if the model has learned any.

    Example: nonneg topics-of mail.nonneg new.csv -o topics.csv
    """
    if output is not None:
        _check_rows(output, force, model, path)
    with Work() as work:
        work.phase("loading")
        from nonneg.apps.topic_exports import document_rows
        from nonneg.apps.topic_results import largest
        from nonneg.io.records import write_records
        from nonneg.report.topics import new_document_facts

        fitted = _load(model)
        topic_model: Any = getattr(fitted, "topics_", fitted)
        if threads is not None:
            topic_model.n_threads = threads
        data = _read(work, path, text, None, None, None)
        work.phase(f"reading the topics of {len(data):,} documents")
        shares = topic_model.transform(data)
        assigned = largest(shares, topic_model.topic_names_, data.names)
        labels = probabilities = None
        if fitted is not topic_model:
            probabilities = fitted.predict_proba(data)
            labels = fitted.decide(probabilities).tolist()
        facts = {
            "model": str(model),
            "source": str(path),
            **new_document_facts(data, assigned, shares, labels, probabilities),
        }
        if output is not None:
            write_records(
                output,
                document_rows(assigned, shares, topic_model.groups(data), labels),
                force=force,
            )
        facts["saved"] = None if output is None else str(output)
    from nonneg.cli import draw_topics

    answer(facts, as_json, lambda: draw_topics.new_documents({**facts, "shown": n}))
    if output is not None:
        wrote(output, as_json)


def _found(
    work: Work, model: TopicModel, data: Documents, label: str | None, top: int, examples: int
) -> dict[str, Any]:
    """Fit, with labels where they are asked for, and return the facts and what was fitted."""
    from nonneg.report.topics import classifier_facts, label_facts, topic_facts

    number = "topics" if model.n_topics == "auto" else f"{model.n_topics} topics"
    work.phase(f"finding {number} in {len(data):,} documents")
    fitted: Any
    if label is None:
        fitted = topic_model = model.fit(data)
    else:
        from nonneg.apps.topic_labels import TopicClassifier

        fitted = TopicClassifier(model).fit(data)
        topic_model = fitted.topics_
        if model.n_topics == "auto":  # chosen once; the parts are of the same kind
            fitted.topics.set_params(n_topics=topic_model.n_topics_)
        fitted.evaluate(data, progress=work.phase)
    work.phase("describing the topics")
    facts = topic_facts(topic_model, top=top, examples=examples)
    facts["left_out"] = {**data.left_out, **facts["left_out"]}
    if data.labels is not None:
        facts |= label_facts(topic_model, data.labels)
    if label is not None:
        facts["classifier"] = classifier_facts(fitted)
    return {**facts, "fitted": fitted}


def _read(
    work: Work,
    path: Path,
    text: str | None,
    label: str | None,
    time: str | None,
    separator: str | None,
) -> Documents:
    from nonneg.io.documents import read_documents
    from nonneg.models import is_model_file

    if path.is_file() and is_model_file(path):
        raise InputError(
            f"'{path}' is a saved model · topics are found in documents · show it with nonneg show "
            f"{path}, or tell the topics of new documents with nonneg topics-of {path} NEWDOCS"
        )
    work.phase(f"reading {path.name or path}")
    data = read_documents(path, text, label, time, separator=separator)
    for told in data.notes:
        note(told)
    return data


def _check_rows(path: Path, force: bool, *inputs: Path) -> None:
    from nonneg.io.records import check_suffix

    check_suffix(path)
    check_output(path, force, *inputs)


def _write(
    topic_model: TopicModel,
    fitted: TopicModel | TopicClassifier,
    documents: Path | None,
    words: Path | None,
    output: Path | None,
    force: bool,
) -> list[Path]:
    from nonneg.apps.topic_exports import document_rows, word_rows
    from nonneg.io.records import write_records
    from nonneg.models import save

    written = []
    if documents is not None:
        rows = document_rows(
            topic_model.documents_, topic_model.document_topics_, topic_model.groups()
        )
        written.append(write_records(documents, rows, force=force))
    if words is not None:
        written.append(write_records(words, word_rows(topic_model), force=force))
    if output is not None:
        written.append(save(fitted, output, force=force))
    return written


def _load(path: Path) -> TopicModel | TopicClassifier:
    from nonneg.apps.topic_labels import TopicClassifier
    from nonneg.apps.topics import TopicModel
    from nonneg.models import load

    fitted = load(path)
    if not isinstance(fitted, TopicModel | TopicClassifier):
        raise InputError(
            f"'{path}' is a saved {type(fitted).__name__} · it knows no topics · name a model that "
            "nonneg topics -o saved"
        )
    return fitted


def _number(word: str) -> Any:
    if word == "auto":
        return word
    if word.isdecimal() and int(word) > 0:
        return int(word)
    raise InputError(f"-k {word} · it is how many topics to find · give 1 or more, or auto")


def _limit(option: str, word: str) -> float | str:
    """A number of documents, a share of them, or "auto"."""
    if word == "auto":
        return word
    try:
        return int(word) if word.isdecimal() else float(word)
    except ValueError:
        raise InputError(
            f"{option} {word} · it is a number of documents (5), a share of them (0.5) or auto · "
            "choose one"
        ) from None


def _stop_words(word: str) -> object:
    if word in ("auto", "english"):
        return word
    if word == "none":
        return None
    from nonneg.io.files import read_any_text

    return read_any_text(word)[0].split()


def _seed_topic(word: str) -> tuple[str, list[str]]:
    name, equals, listed = word.partition("=")
    words = [one.strip() for one in listed.split(",") if one.strip()]
    if not equals or not name.strip() or not words:
        raise InputError(
            f"--look-for {word!r} names no topic with words · the form is NAME=WORDS · as "
            "--look-for sport=goal,match,team"
        )
    return name.strip(), words
