"""Training: from a folder of aligned crops to a model file with its card.

config.py       what a run is asked for: TOML and options
dataset/        photos to aligned crops, which of them each step sees, crops to batches
heads.py        embeddings to a loss; losses.py has the equations
step.py         one step on every replica; devices.py says which
loop.py         steps, checkpoints, the curve
validate.py     held-out photos and LFW
result.py       the trained net as a LiteRT file
run.py          all of it in order
"""
