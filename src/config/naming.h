/* Names of output files that VR players understand.
 *
 * Players (DeoVR, HereSphere, SKYBOX, 4XVR) read layout and projection from markers in the file's name, set
 * off by `_`, `-`, `.` or space and in any case. Outputs end in "_LR_180_SBS" (side by side half-equirect;
 * the form that all four know), "_TB_180", "_180" (one eye), "_LR_SBS" (flat) and so on; right eye first
 * gives RL and BT. Markers that the input's name has are removed first, wherever they stand, so that none is
 * doubled and none tells a lie. Works on names only; nothing is opened.
 */
#ifndef VSM_CONFIG_NAMING_H
#define VSM_CONFIG_NAMING_H

#include "base/status.h"
#include "config/config.h"
#include "frame/view.h"

#include <stdbool.h>

/* What the output will hold. */
struct vsm_naming {
    enum vsm_layout layout;
    enum vsm_projection projection;
    bool right_left;                      /* the right eye is left or above */
    enum vsm_config_output_format format; /* one of them; 0 = green */
    const char *codec;                    /* decides the container; "auto" or an FFmpeg encoder name */
    int field_of_view; /* degrees, of drawn circles: 180, 190, 200, 220; 0 = the projection of the input */
};

/* Path of the output in the input's folder: NAME_LR_180_SBS.mp4, for a matte NAME_matte_LR_180_SBS.mp4, with
 * an alpha plane NAME_rgba_LR_180_SBS. What is drawn as fisheye circles ends in "_LR_180_FISHEYE_F180", or
 * FISHEYE190, MKX200 or MKX220 for those fields of view, and "_SBS". Alpha-packed ones end in
 * "_LR_180_FISHEYE_F180_alpha", or FISHEYE190, MKX200 or MKX220 for those fields of view, whatever the input
 * is. NAME_green_... is used where the path would be the input's or the name would have no marker at all.
 * ProRes goes to .mov, FFV1 to .mkv, VP8 and VP9 to .webm, pictures to a folder that ends in _png or _exr.
 * *path: vsm_mem_free(). VSM_E_USAGE if the name gets longer than 255 bytes. */
int vsm_naming_output(const char *input, const struct vsm_naming *what, char **path) VSM_NODISCARD;

/* Path of the matte beside the green file: "_matte" is put before the markers at the end of the name, or at
 * the end if there are none. *path and errors as above. */
int vsm_naming_matte(const char *green, char **path) VSM_NODISCARD;

/* Whether two paths lead to one file, also through links or another spelling; of files that do not exist yet,
 * whether they would be one in the same folder. */
bool vsm_naming_same_file(const char *a, const char *b);

/* Refuses an output that is the input itself, in the sense of vsm_naming_same_file(): VSM_E_USAGE. */
int vsm_naming_check(const char *input, const char *output) VSM_NODISCARD;

#endif
