"""The mailbox under `/mailbox/`, wired only where settings.MAILBOX names a folder."""

from django.urls import path

from portal.demo import mailbox

urlpatterns = [
    path("", mailbox.inbox, name="mailbox"),
    path("messages.json", mailbox.messages, name="mailbox-messages"),
    path("<str:key>/", mailbox.mail, name="mail"),
    path("<str:key>/html/", mailbox.html_part, name="mail-html"),
    path("<str:key>/attachments/<int:number>/", mailbox.attachment, name="mail-attachment"),
]
