"""What carrying out each right means, one module a right."""
