"""Tenon: DNN-accelerator RTL and its compiler, from one set of parameters."""
