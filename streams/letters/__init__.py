"""Dead letters and their way back: what was refused is shown, sent again, or dismissed.

reading.py reads the letters and what became of them, origins.py fetches the refused records, whose
payload nobody keeps, masked.py prints one without what may be a person's, settle.py sends again and
marks in one transaction.
"""
