"""Ways to find out whether a question is one the operator refuses; in doubt each refuses.

None of them logs, keeps or repeats a question.
"""
