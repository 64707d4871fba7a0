import pytest, pathlib
from tests.comms.world import *
from tests.factories import *
from comms import notices
pytestmark = pytest.mark.django_db
def test_md():
    i=make_incident(told_crew(),level=Level.L3,drill=True,at=Phase.ROLLING_BACK, summary="Hash-chain gap after projection migration 0412")
    pathlib.Path("/tmp/x/mail.html").write_text(notices.preview(i,NoticeKind.B,notices.draft(i,NoticeKind.B)).html)
