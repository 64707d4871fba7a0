"""The incident report as PDF: facts into HTML, HTML into a PDF in a child process that can be killed."""
