"""What leaves the portal as a file for another tool: the review, and the follow-ups in two forms.

The log's own export is `evidence.log.jsonl`.
"""

from incidents.exports.follow_ups import follow_ups_beads, follow_ups_csv
from incidents.exports.review import review, review_name

__all__ = ["follow_ups_beads", "follow_ups_csv", "review", "review_name"]
