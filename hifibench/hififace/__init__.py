"""HifiFace: 3D shape and semantic prior guided high fidelity face swapping (Wang et al., IJCAI 2021).

The networks and losses; `docs/hififace.md` says what was chosen where the paper is silent.
"""
