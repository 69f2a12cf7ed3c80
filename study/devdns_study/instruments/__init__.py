"""The instruments as data: sheets, questionnaires and task cards in TOML, with `${words}` that a study fills in.

What is fixed by its authors (the SUS above all) has its source in the file and takes no word but the name of the approach.
"""
