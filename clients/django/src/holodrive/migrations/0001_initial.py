"""The one table of this package, and what Django has to know of the server's."""

import django.db.models.deletion
import holodrive.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('support', 'Support'), ('order', 'Order'), ('direct', 'Direct')], max_length=7)),
                ('created_at', holodrive.fields.MomentField()),
                ('closed_at', holodrive.fields.MomentField(blank=True, null=True)),
            ],
            options={
                'db_table': 'holodrive_conversation',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Driver',
            fields=[
                ('driver', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('status', models.CharField(blank=True, choices=[('online', 'Online'), ('offline', 'Offline')], max_length=7, null=True)),
                ('latitude', holodrive.fields.CoordinateField(blank=True, null=True)),
                ('longitude', holodrive.fields.CoordinateField(blank=True, null=True)),
                ('position_at', holodrive.fields.MomentField(blank=True, null=True)),
                ('seen_at', holodrive.fields.MomentField(blank=True, null=True)),
            ],
            options={
                'db_table': 'holodrive_driver',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('sender_name', models.TextField()),
                ('is_from_support', models.BooleanField()),
                ('message', models.TextField()),
                ('client_id', models.TextField(blank=True, null=True)),
                ('created_at', holodrive.fields.MomentField()),
            ],
            options={
                'db_table': 'holodrive_message',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='MessageRead',
            fields=[
                ('pk', models.CompositePrimaryKey('message_id', 'user_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('read_at', holodrive.fields.MomentField()),
            ],
            options={
                'db_table': 'holodrive_message_read',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('title', models.TextField()),
                ('message', models.TextField()),
                ('notification_type', models.TextField()),
                ('related_object_type', models.TextField(blank=True, null=True)),
                ('related_object_id', models.BigIntegerField(blank=True, null=True)),
                ('data', holodrive.fields.JsonTextField()),
                ('created_at', holodrive.fields.MomentField()),
                ('read_at', holodrive.fields.MomentField(blank=True, null=True)),
            ],
            options={
                'db_table': 'holodrive_notification',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Offer',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('live', 'Live'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('expired', 'Expired'), ('revoked', 'Revoked'), ('released', 'Released')], max_length=8)),
                ('reason', models.TextField(blank=True, null=True)),
                ('distance_km', models.FloatField(blank=True, null=True)),
                ('created_at', holodrive.fields.MomentField()),
                ('expires_at', holodrive.fields.MomentField()),
                ('unreachable_at', holodrive.fields.MomentField(blank=True, null=True)),
                ('delivered_at', holodrive.fields.MomentField(blank=True, null=True)),
                ('ended_at', holodrive.fields.MomentField(blank=True, null=True)),
            ],
            options={
                'db_table': 'holodrive_offer',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('searching', 'Searching'), ('pending', 'Pending'), ('accepted', 'Accepted'), ('arrived', 'Arrived'), ('in_progress', 'In Progress'), ('completed', 'Completed'), ('cancelled', 'Cancelled'), ('no_driver', 'No Driver')], max_length=11)),
                ('order_type', models.TextField()),
                ('address_from', models.TextField()),
                ('address_to', models.TextField()),
                ('latitude_from', holodrive.fields.CoordinateField()),
                ('longitude_from', holodrive.fields.CoordinateField()),
                ('latitude_to', holodrive.fields.CoordinateField()),
                ('longitude_to', holodrive.fields.CoordinateField()),
                ('created_at', holodrive.fields.MomentField()),
                ('search_until', holodrive.fields.MomentField()),
            ],
            options={
                'db_table': 'holodrive_order',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='OrderEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('at', holodrive.fields.MomentField()),
                ('type', models.TextField()),
                ('details', holodrive.fields.JsonTextField()),
            ],
            options={
                'db_table': 'holodrive_order_event',
                'ordering': ['-id'],
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Participant',
            fields=[
                ('pk', models.CompositePrimaryKey('conversation_id', 'user_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('joined_at', holodrive.fields.MomentField()),
            ],
            options={
                'db_table': 'holodrive_conversation_participant',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='HookAnswer',
            fields=[
                ('id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('hook', models.CharField(max_length=32)),
                ('status', models.PositiveSmallIntegerField(default=500)),
                ('body', models.TextField(default='')),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
            options={
                'db_table': 'holodrive_hook_answer',
            },
        ),
        migrations.CreateModel(
            name='NotificationDelivery',
            fields=[
                ('notification', models.OneToOneField(on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='delivery', serialize=False, to='holodrive.notification')),
                ('written_at', holodrive.fields.MomentField()),
                ('confirmed_at', holodrive.fields.MomentField(blank=True, null=True)),
            ],
            options={
                'db_table': 'holodrive_notification_delivery',
                'managed': False,
            },
        ),
    ]
