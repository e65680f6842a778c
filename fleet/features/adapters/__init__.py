"""The feature adapters: limits over all workers, health, choices and the conformance of adapters."""
