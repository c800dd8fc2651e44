"""Optimizers as users write them, and the same ones made by torch."""

from functools import partial

from torch.optim import SGD, Adam, AdamW

CASES = {
    "sgd": SGD,
    "sgd:momentum=0.9": partial(SGD, momentum=0.9),
    "sgd:momentum=0.8,nesterov=true,weight_decay=0.01": partial(SGD, momentum=0.8, nesterov=True, weight_decay=0.01),
    "gd:momentum=0.5": partial(SGD, momentum=0.5),
    "adam": Adam,
    "adam:beta1=0.7,beta2=0.95,eps=1e-6,weight_decay=0.1": partial(Adam, betas=(0.7, 0.95), eps=1e-6, weight_decay=0.1),
    "adamw": AdamW,
    "adamw:weight_decay=0.3": partial(AdamW, weight_decay=0.3),
}
