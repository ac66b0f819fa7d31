"""For each exercise, wrong answers that learners give, and the words that each must be told.

One module a notebook, named like that of its exercises, with ``WRONG = {number: [(answer, words)]}``.
"""
