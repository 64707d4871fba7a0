import pytest, pathlib
from tests.comms.world import *
from tests.factories import *
from comms.reports import document, process
pytestmark = pytest.mark.django_db
@pytest.mark.parametrize("drill",[False,True])
def test_md(drill):
    i=eventful_incident(told_crew(),drill=drill) if not drill else make_incident(told_crew(),drill=True,summary="A much longer summary that says a lot about what is failing in the delivery cycle of this product, "*4)
    w=document.written(i)
    r=process.render(w.html, identifier=w.identifier, seconds=100, memory_bytes=1024**3)
    pathlib.Path('/tmp/x/report%s.pdf'%('-drill' if drill else '')).write_bytes(r.content)
