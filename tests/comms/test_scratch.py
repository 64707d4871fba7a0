import pytest, time, pathlib
from incidents.terms import *
from tests.factories import *
from tests.comms.world import *
from comms.models import *
from comms import notices
from comms.facts import facts_of
from comms.reports import document, process
pytestmark = pytest.mark.django_db

@pytest.mark.parametrize("drill",[False,True])
def test_it(django_assert_num_queries, drill):
    crew=told_crew()
    i=eventful_incident(crew, drill=drill)
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext
    with CaptureQueriesContext(connection) as q:
        f=facts_of(i, timeline_rows=2000)
    print(len(q)); [print(x["sql"][:130]) for x in q.captured_queries]
    t=time.time(); w=document.written(i); print('doc',time.time()-t, len(w.html))
    pathlib.Path('/tmp/x/report.html').write_text(w.html)
    t=time.time(); r=process.render(w.html, identifier=w.identifier, seconds=60, memory_bytes=1024**3); print('pdf',time.time()-t, r.pages, len(r.content))
    pathlib.Path('/tmp/x/report%s.pdf'%('-drill' if drill else '')).write_bytes(r.content)
    from incidents.models import EvidenceChain
    pathlib.Path('/tmp/x/mail.html').write_text(__import__('email').message_from_bytes(bytes(Delivery.objects.filter(notice__kind='B').first().content)).get_payload()[1].get_payload(decode=True).decode())
