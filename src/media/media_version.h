/* Versions of the linked FFmpeg libraries, for --version and reports. */
#ifndef VSM_MEDIA_MEDIA_VERSION_H
#define VSM_MEDIA_MEDIA_VERSION_H

/* "FFmpeg 5.1.9 (libavformat 59.27.100, libavcodec 59.37.100)". Static storage. */
const char *vsm_media_version(void);

#endif
