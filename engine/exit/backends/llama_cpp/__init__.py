"""A model file served in process through llama.cpp: what makes a ghost a GPU node (extra `gpu`).

    backend.py    what the ghost talks to; trio on this side
    engine.py     the loop that owns the context; a thread of its own on that side
    plan.py, cells.py, text.py      which tokens go into a step, who keeps a place in the cache,
                  what of the answer may be shown already: pure
    library.py, files.py, model.py, context.py, sampling.py, grammar.py, embedding.py
                  the borders to llama.cpp and to the file

    tokenizer.py  the vocabulary alone, for a client that checks the meter

Nothing here is imported unless an upstream of kind "llama-cpp" is configured.
"""
