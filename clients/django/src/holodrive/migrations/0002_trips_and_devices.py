"""What the server's tables have since its migrations 0006 to 0009. Django knows of it; the tables are the server's to change."""

import django.db.models.deletion
import holodrive.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('holodrive', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.AddField('Driver', 'vehicle_classes', holodrive.fields.JsonTextField(blank=True, null=True)),
            migrations.AddField('Driver', 'vehicle_seats', models.BigIntegerField(blank=True, null=True)),
            migrations.AddField('Offer', 'slot', models.BigIntegerField()),
            migrations.AddField('Offer', 'exclusive', models.BooleanField(help_text='Whether nobody else is asked as long as it lives: staff have chosen the driver.')),
            migrations.AddField('Offer', 'push_at', holodrive.fields.MomentField(blank=True, null=True)),
            migrations.AddField('Offer', 'pushed_at', holodrive.fields.MomentField(blank=True, null=True)),
            migrations.AddField('Order', 'pickup_at', holodrive.fields.MomentField(blank=True, null=True)),
            migrations.AddField('Order', 'search_from', holodrive.fields.MomentField()),
            migrations.AddField('Order', 'vehicle_class', models.TextField(blank=True, null=True)),
            migrations.AddField('Order', 'seats', models.BigIntegerField(blank=True, null=True)),
            migrations.CreateModel(
                name='Device',
                fields=[
                    ('id', models.BigAutoField(primary_key=True, serialize=False)),
                    ('user', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('platform', models.CharField(choices=[('fcm', 'FCM'), ('apns', 'APNs')], max_length=4)),
                    ('name', models.TextField(blank=True, null=True)),
                    ('registered_at', holodrive.fields.MomentField()),
                ],
                options={
                    'db_table': 'holodrive_device',
                    'ordering': ['-id'],
                    'managed': False,
                },
            ),
        ]),
    ]
