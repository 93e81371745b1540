"""Training: from a folder of aligned crops to a model file with its card.

config.py       settings of a run; config_file.py reads them from TOML files
dataset/        crops photos, chooses the crops of each step, and prepares batches
heads.py        computes the loss from embeddings; losses.py has the equations
step.py         runs one step on every replica; devices.py opens the replicas
loop.py         runs all steps, and writes checkpoints and the curve
validate.py     measures the net on held-out photos and on LFW
result.py       writes the trained net as a LiteRT file
run.py          trains a network on a folder of aligned crops and writes the model file
"""
