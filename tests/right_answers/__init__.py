"""For each exercise, right answers in at least three styles, other than the solution's own.

One module a notebook, named like that of its exercises, with ``RIGHT = {number: [answer, …]}``.
"""
