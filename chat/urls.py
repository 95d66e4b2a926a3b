"""Addresses of the chat and image pages."""

from django.urls import path

from chat import arranging, citing, exporting, galleries, reviewing, searching, sharing, views

urlpatterns = [
    path("", views.chat, name="chat"),
    path("chat/list/", views.talks, name="chat-list"),
    path("chat/ask/", views.ask, name="chat-ask"),
    path("chat/answers/<uuid:answer_id>/events/", views.answer_events, name="chat-answer-events"),
    path("chat/answers/<uuid:answer_id>/stop/", views.stop_answer, name="chat-answer-stop"),
    path("chat/answers/<uuid:answer_id>/again/", views.answer_again, name="chat-answer-again"),
    path("chat/<uuid:conversation_id>/", views.chat, name="conversation"),
    path("chat/messages/<uuid:message_id>/show/", views.show_branch, name="message-show"),
    path("chat/<uuid:conversation_id>/pin/", views.pin, name="conversation-pin"),
    path("chat/<uuid:conversation_id>/rename/", views.rename, name="conversation-rename"),
    path("chat/<uuid:conversation_id>/delete/", views.delete, name="conversation-delete"),
    path("chat/<uuid:conversation_id>/restore/", views.restore, name="conversation-restore"),
    path("chat/answers/<uuid:answer_id>/cite/", citing.cite, name="answer-cite"),
    path("chat/answers/<uuid:answer_id>/link/open/", citing.open_link, name="answer-link-open"),
    path("chat/answers/<uuid:answer_id>/link/close/", citing.close_link, name="answer-link-close"),
    path("answers/<uuid:answer_id>/", citing.answer, name="answer"),
    path("chat/<uuid:conversation_id>/export/<str:form>/", exporting.export, name="conversation-export"),
    path("chat/export/", exporting.export_all, name="chat-export"),
    path("chat/mine/", arranging.mine, name="my-chats"),
    path("chat/mine/arrange/", arranging.arrange, name="chats-arrange"),
    path("chat/mine/restore/", arranging.restore, name="chats-restore"),
    path("chat/search/", searching.search, name="chat-search"),
    path("chat/shared/", sharing.mine, name="shared-chats"),
    path("chat/<uuid:conversation_id>/share/", sharing.share, name="conversation-share"),
    path("shared/<uuid:shared_id>/", sharing.shared, name="shared-chat"),
    path("shared/<uuid:shared_id>/revoke/", sharing.revoke, name="shared-chat-revoke"),
    path("images/", galleries.images, name="images"),
    path("images/make/", galleries.make_images, name="images-make"),
    path("images/jobs/<uuid:job_id>/", galleries.image_job, name="image-job"),
    path("images/jobs/<uuid:job_id>/stop/", galleries.stop_image_job, name="image-job-stop"),
    path("images/jobs/<uuid:job_id>/preview/", galleries.preview, name="image-preview"),
    path("images/pictures/<uuid:picture_id>/", galleries.picture, name="picture"),
    path("images/pictures/<uuid:picture_id>/about/", galleries.about_picture, name="picture-about"),
    path("images/pictures/<uuid:picture_id>/describe/", galleries.describe_picture, name="picture-describe"),
    path("review/<str:code>/chats/", reviewing.course_chats, name="review_course_chats"),
    path("review/<str:code>/chats/<uuid:conversation_id>/", reviewing.course_chat, name="review_course_chat"),
]
