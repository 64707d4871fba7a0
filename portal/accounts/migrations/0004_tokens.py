import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_try'),
        ('incidents', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='incident',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='incidents.incident'),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='last_used_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='apitoken',
            name='hint',
            field=models.CharField(editable=False, max_length=24),
        ),
    ]
