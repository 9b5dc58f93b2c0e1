"""Servers that tests of roads share with those of the adapters."""

from adapters.kombu.conftest import kafka, sqs

__all__ = ["kafka", "sqs"]
