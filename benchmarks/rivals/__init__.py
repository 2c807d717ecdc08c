"""One file a solver, ours among them, all with the same four names.

NAME
    What the record calls it.
HOME
    Where it runs: "here" (the environment of the benchmark), "rivals" (the environment that
    `environment.py` builds from requirements.txt) or "R" (through Rscript).
prepare()
    Import it and return the versions of what it needs; raise ImportError where it is missing.
run(task, data)
    Fit, time the fit alone, return an `Answer`.
"""
