"""Kernels: ways to take the steps of a stack of members, as plugs.

A gradient kernel (`kernel.Kernel`) says which networks and problems it takes and what a step costs; the first of
`choice.KERNELS` that takes a job is used. Two more are about masks: `without_idle` trains members without the units and
inputs that nothing goes through, `packed` those with few weights left. Which way is taken follows from the network,
the recipe, the mask and the device, never from the size of a stack: so a member's result does not depend on its
batch-mates.
"""
