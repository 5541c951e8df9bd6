"""Which images to label next.

- protocol: what a strategy is: Card, Candidates, Choice
- registry: every strategy by its name, plugins too
- mi_aod, entropy, random, full, coreset: the strategies
- uncertainty: of an anchor and of an image
- features: what an image looks like to the detector
- k_center: points that leave no other far from all of them
- batch: the batch of a cycle when people have set images aside
- decisions: what people decided about the images of a batch
"""
