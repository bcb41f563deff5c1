"""Files that go with questions: what may, and what is taken out of them before."""
