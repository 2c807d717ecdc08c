"""What is measured, one module a group; each yields the rows of its record as they come.

FILE
    Name of the record without its suffix.
ABOUT
    What it measures and how, in the record's own words.
run(bench)
    Yield the rows.
"""
