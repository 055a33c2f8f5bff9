/* What the writing side of src/media takes from an open reader besides its public contract. */
#ifndef VSM_MEDIA_VIDEO_READER_INTERNAL_H
#define VSM_MEDIA_VIDEO_READER_INTERNAL_H

#include "media/ff.h"
#include "media/video_reader.h"

/* HDR and colour data that hold for the whole video. Valid until the reader is closed. */
const struct vsm_ff_static_data *vsm_video_reader_static_data(const struct vsm_video_reader *reader);

#endif
