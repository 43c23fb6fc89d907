"""Choices from files and streams of any size: readers, the check of each row, chunks, and how far each import got.

`files` and `streams` are the two ways in. Whatever they read goes to `bulk_ledger` chunk by chunk, and each chunk's
choices, rejections and progress are one transaction (docs/import-choices.md).
"""
