#include "media/media_version.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <pthread.h>
#include <stdio.h>

#define PARTS(v) AV_VERSION_MAJOR(v), AV_VERSION_MINOR(v), AV_VERSION_MICRO(v)

static char text[128];

static void make_text(void)
{
    snprintf(text, sizeof(text), "FFmpeg %s (libavformat %u.%u.%u, libavcodec %u.%u.%u)", av_version_info(),
             PARTS(avformat_version()), PARTS(avcodec_version()));
}

const char *vsm_media_version(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_text);
    return text;
}
