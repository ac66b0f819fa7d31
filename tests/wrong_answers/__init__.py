"""For each exercise, wrong answers that learners give, and the words that each must be told.

One module a notebook, named like that of its exercises, with ``WRONG = {number: [(answer, words)]}``.

``EQUIVALENT = {number: {mutant: reason}}`` names the mutants of a solution that are right answers
too (``tests/answer_mutants.py`` makes them, and prints those that pass).
"""
