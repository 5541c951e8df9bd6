"""How fast the package is on a device, against torchvision, and what a whole experiment costs."""
