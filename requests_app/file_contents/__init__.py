"""What files say: documents and archives taken apart by a process of its own, which has little time and memory.

`reader` is what the rest of Heed uses. The process is `__main__`: it takes apart what `kinds` tells to be a PDF
(`pdf`), a ZIP, tar, gzip or markup (`taking_apart`), and tells what it says (`telling`, in `frames`). Nothing here
knows Django: the process loads none of it, and gets none of its settings.
"""
