"""Addresses of the chat and image pages."""

from django.urls import path

from chat import views

urlpatterns = [
    path("", views.chat, name="chat"),
    path("chat/list/", views.talks, name="chat-list"),
    path("chat/ask/", views.ask, name="chat-ask"),
    path("chat/answers/<uuid:answer_id>/events/", views.answer_events, name="chat-answer-events"),
    path("chat/answers/<uuid:answer_id>/stop/", views.stop_answer, name="chat-answer-stop"),
    path("chat/answers/<uuid:answer_id>/again/", views.answer_again, name="chat-answer-again"),
    path("chat/<uuid:conversation_id>/", views.chat, name="conversation"),
    path("chat/<uuid:conversation_id>/rename/", views.rename, name="conversation-rename"),
    path("chat/<uuid:conversation_id>/delete/", views.delete, name="conversation-delete"),
    path("chat/<uuid:conversation_id>/restore/", views.restore, name="conversation-restore"),
    path("images/", views.images, name="images"),
    path("images/make/", views.make_images, name="images-make"),
    path("images/jobs/<uuid:job_id>/", views.image_job, name="image-job"),
    path("images/pictures/<uuid:picture_id>/", views.picture, name="picture"),
]
