"""The tables of HifiFace (IJCAI 2021) with the numbers of a run: Table 1, Table 2, ablations, published figures."""
