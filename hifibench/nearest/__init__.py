"""Nearest neighbours among millions: exact, within a bound of memory, and the same whatever finds the candidates.

`hifibench.nearest.search.nearest` is the search. Cheap products in single precision, by NumPy, by torch on a GPU or by
faiss, only propose; `hifibench.nearest.certificate` says which rows could be among the nearest, and these are compared
in double precision. So no answer depends on blocks, threads, device or library.
"""
