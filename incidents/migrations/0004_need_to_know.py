import django.db.models.fields.json
import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0003_suggestions'),
    ]

    operations = [
        migrations.AddField(
            model_name='incident',
            name='need_to_know',
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name='evidenceentry',
            name='kind',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.fields.json.KeyTextTransform('kind', django.db.models.functions.comparison.Cast('canonical', models.JSONField())), output_field=models.CharField(choices=[('incident.declared', 'Rollback mode declared'), ('role.assigned', 'Role assigned'), ('role.accepted', 'Role accepted'), ('role.handed_over', 'Role handed over'), ('role.taken_over', 'Role taken over'), ('suggestion.dismissed', 'Suggested declaration dismissed'), ('role.stepped_in', 'Role taken by an administrator'), ('incident.knowledge_changed', 'Who may know of it changed'), ('level.changed', 'Scope level changed'), ('incident.stood_down', 'Stood down'), ('note.added', 'Note'), ('proposal.made', 'Second person asked for'), ('proposal.declined', 'Second person declined'), ('exception.allowed', 'Exception allowed'), ('exception.revoked', 'Exception revoked'), ('target.chosen', 'Target chosen'), ('target.confirmed', 'Target confirmed'), ('plan.made', 'Rollback plan made'), ('action.added', 'Action added'), ('action.approved', 'Action approved'), ('action.queued', 'Action queued'), ('action.started', 'Action started'), ('action.followed', 'Action runs outside'), ('action.rehearsed', 'Dry run'), ('action.succeeded', 'Action done'), ('action.failed', 'Action failed'), ('action.unknown', 'Action outcome unknown'), ('action.cancelled', 'Action aborted'), ('action.late_result', 'Late result, not applied'), ('action.resolved', 'Unknown outcome decided'), ('action.waived', 'Action waived'), ('cleanup.ticked', 'Cleanup item done'), ('cleanup.waived', 'Cleanup item waived'), ('exhibit.added', 'Evidence attached'), ('verification.begun', 'Verification begun'), ('rollback.reopened', 'Back to rolling back'), ('gate.queued', 'Gate run asked for'), ('gate.recorded', 'Gate outcome recorded'), ('gate.baseline_accepted', 'Baseline blocker accepted'), ('risk.accepted', 'Risk accepted'), ('owner.named', 'Next-cycle owner named'), ('owner.accepted', 'Next-cycle ownership accepted'), ('freeze.lifted', 'Freeze lifted'), ('freeze.refrozen', 'Frozen again'), ('notice.issued', 'Notice issued'), ('notice.sent', 'Notice sent'), ('notice.retried', 'Notice sent again'), ('summary.written', 'Incident summary written'), ('follow_up.added', 'Follow-up added'), ('safeguard.added', 'Safeguard recorded'), ('incident.closed', 'Incident closed'), ('record.corrected', 'Record corrected'), ('dispatch.stopped', 'Dispatch stopped'), ('dispatch.resumed', 'Dispatch resumed'), ('configuration.changed', 'Configuration changed'), ('privacy.erased', 'Personal value erased'), ('foreign.verified', 'Foreign evidence log verified'), ('foreign.annotated', 'Affected runs marked'), ('checkpoint.signed', 'Checkpoint signed'), ('key.made', 'Signing key made'), ('evidence.uncertain', 'Evidence integrity uncertain'), ('clock.skewed', 'Clock went backwards'), ('custody.handed_out', 'Evidence handed out')], max_length=40)),
        ),
    ]
