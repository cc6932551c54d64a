"""What people and programs read: plans, outcomes, drift as text, JSON and Markdown; never a secret.

Everything goes two steps. First a *document* is made: frozen values in which a secret is its length and
its fingerprint and nothing else. Then the document is written as JSON, or laid out as a page of parts
that the text and the Markdown writer share. What the first step left out, the second cannot show.
"""
