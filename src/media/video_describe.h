/* What a video's container and first picture say of it, as media/video_info.h has it.
 *
 * Included only inside src/media.
 */
#ifndef VSM_MEDIA_VIDEO_DESCRIBE_H
#define VSM_MEDIA_VIDEO_DESCRIBE_H

#include "frame/image.h"
#include "media/demux.h"
#include "media/video_info.h"

/* Fills in all but start_pts and hdr. first: the first picture; lead: packets before it that cannot be
 * decoded, and do not count as pictures. Both are borrowed for the call. */
void vsm_video_describe(const struct vsm_demux *demux, const struct vsm_image *first, int64_t lead,
                        struct vsm_video_info *info);

#endif
