"""Receipts: what one choice was, signed by the house and proven by the log, in three formats.

`statement` gathers what a receipt says; `jsonld`, `kantara` and `pdf` write it down; `issuing` signs it;
`reading` takes apart what somebody brings back, and `verifying` checks it. See docs/decisions/0006-receipts.md.
"""
