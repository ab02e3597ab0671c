/* A task's result: the content of one file, told when the application has ended. */
#ifndef UNIK_RESULT_H
#define UNIK_RESULT_H

/* Says {"event":"result",...}: the content in base64, or why there is none. Does nothing for NULL. */
void result_event(const char *path);

#endif
