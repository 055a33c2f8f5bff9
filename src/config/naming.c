#include "config/naming.h"

#include "base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SEPARATORS "_-. "

/* Longest file name of the usual file systems, in bytes. */
#define NAME_LIMIT 255

static bool is_marker(const char *token, size_t length)
{
    static const char *const markers[] = {
        "LR",      "RL",     "LRF",   "3DH",        "3DHF",       "SBS",         "HSBS",    "TB",
        "BT",      "OU",     "3DV",   "3DVF",       "180",        "360",         "180x180", "VR180",
        "VR360",   "F180",   "180F",  "FISHEYE",    "RF52",       "MKX22",       "MKX200",  "MKX220",
        "VRCA220", "EAC360", "ALPHA", "FISHEYE180", "FISHEYE190", "PASSTHROUGH",
    };

    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        if (strlen(markers[i]) == length && strncasecmp(markers[i], token, length) == 0)
            return true;
    }
    return false;
}

/* Folder with its slash, base name, and extension with its dot, as parts of one path. */
struct parts {
    size_t folder, base;
    const char *name, *extension;
};

static struct parts split(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot;
    struct parts parts;

    parts.name = slash ? slash + 1 : path;
    parts.folder = (size_t)(parts.name - path);
    dot = strrchr(parts.name, '.');
    parts.base = dot && dot != parts.name ? (size_t)(dot - parts.name) : strlen(parts.name);
    parts.extension = parts.name + parts.base;
    return parts;
}

/* Copies the base name without its markers into `to`, which has room for all of it. A token leaves with the
 * separator before it. */
static void strip_markers(const struct parts *from, char *to)
{
    bool kept_any = false;
    size_t length;

    for (size_t i = 0; i <= from->base; i += length + 1) {
        length = strcspn(from->name + i, SEPARATORS);
        if (length > from->base - i)
            length = from->base - i;
        if (is_marker(from->name + i, length))
            continue;
        if (kept_any)
            *to++ = from->name[i - 1];
        memcpy(to, from->name + i, length);
        to += length;
        kept_any = true;
    }
    *to = '\0';
}

static const char *eyes_marker(const struct vsm_naming *what)
{
    switch (what->layout) {
    case VSM_LAYOUT_SBS:
        return what->right_left ? "_RL" : "_LR";
    case VSM_LAYOUT_TB:
        return what->right_left ? "_BT" : "_TB";
    case VSM_LAYOUT_MONO:
        break;
    }
    return "";
}

static const char *extension_of(const char *codec)
{
    if (strncmp(codec, "prores", 6) == 0)
        return ".mov";
    if (strcmp(codec, "ffv1") == 0)
        return ".mkv";
    if (strncmp(codec, "libvpx", 6) == 0)
        return ".webm";
    if (strcmp(codec, "png") == 0)
        return "_png";
    if (strcmp(codec, "exr") == 0)
        return "_exr";
    return ".mp4";
}

/* The lens names from which players take a wider field of view than 180 degrees. */
static const char *fisheye_marker(const struct vsm_naming *what)
{
    switch (what->field_of_view) {
    case 190:
        return "_FISHEYE190";
    case 200:
        return "_MKX200";
    case 220:
        return "_MKX220";
    default:
        return "_FISHEYE_F180";
    }
}

static void print_markers(const struct vsm_naming *what, char *text, size_t size)
{
    if (what->format == VSM_CONFIG_OUTPUT_ALPHA_PACKED)
        snprintf(text, size, "_LR_180%s_alpha", fisheye_marker(what));
    else if (what->field_of_view > 0)
        snprintf(text, size, "_LR_180%s_SBS", fisheye_marker(what));
    else
        snprintf(text, size, "%s%s%s%s", eyes_marker(what), what->projection == VSM_RECTILINEAR ? "" : "_180",
                 what->projection == VSM_FISHEYE ? "_FISHEYE" : "",
                 what->layout == VSM_LAYOUT_SBS ? "_SBS" : "");
}

static const char *content_marker(const struct vsm_naming *what)
{
    switch (what->format) {
    case VSM_CONFIG_OUTPUT_MATTE:
        return "_matte";
    case VSM_CONFIG_OUTPUT_PRORES4444:
    case VSM_CONFIG_OUTPUT_FFV1_ALPHA:
    case VSM_CONFIG_OUTPUT_VP9_ALPHA:
    case VSM_CONFIG_OUTPUT_PNG:
    case VSM_CONFIG_OUTPUT_EXR:
        return "_rgba";
    case VSM_CONFIG_OUTPUT_GREEN:
    case VSM_CONFIG_OUTPUT_ALPHA_PACKED:
        break;
    }
    return "";
}

/* Takes `path`, which may be NULL from a failed allocation. */
static int finish(char *path, char **result)
{
    if (!path)
        return VSM_E_NOMEM;
    if (strlen(split(path).name) > NAME_LIMIT) {
        int status =
            vsm_fail(VSM_E_USAGE, "%s: a name made from it has more than %d bytes; give one with --output",
                     path, NAME_LIMIT);

        vsm_mem_free(path);
        return status;
    }
    *result = path;
    return VSM_OK;
}

int vsm_naming_output(const char *input, const struct vsm_naming *what, char **path)
{
    struct parts parts = split(input);
    char *base = vsm_mem_alloc("file name", parts.base + 1, 1), *result;
    const char *content = content_marker(what);
    char markers[48];

    if (!base)
        return VSM_E_NOMEM;
    strip_markers(&parts, base);
    print_markers(what, markers, sizeof(markers));
    if (!*markers && !*content)
        content = "_green";
    result = vsm_mem_format("file name", "%.*s%s%s%s%s", (int)parts.folder, input, *base ? base : "video",
                            content, markers, extension_of(what->codec));
    if (result && strcmp(result, input) == 0) {
        vsm_mem_free(result);
        result = vsm_mem_format("file name", "%.*s%s_green%s%s%s", (int)parts.folder, input,
                                *base ? base : "video", content, markers, extension_of(what->codec));
    }
    vsm_mem_free(base);
    return finish(result, path);
}

int vsm_naming_matte(const char *green, char **path)
{
    struct parts parts = split(green);
    size_t end = parts.base; /* of the name proper; markers follow */

    while (end > 0) {
        size_t start = end;

        while (start > 0 && !strchr(SEPARATORS, parts.name[start - 1]))
            start--;
        if (!is_marker(parts.name + start, end - start))
            break;
        end = start > 0 ? start - 1 : 0;
    }
    return finish(vsm_mem_format("file name", "%.*s%smatte%s%s", (int)(parts.folder + end), green,
                                 end > 0 ? "_" : "", end > 0 || parts.base == 0 ? "" : "_",
                                 green + parts.folder + end),
                  path);
}

static bool same_inode(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* The folder of a path, "." if it names none; cut where it is too long, which no file has. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    size_t length = split(path).folder;

    if (length > 0)
        snprintf(folder, PATH_MAX, "%.*s", (int)length, path);
    else
        strcpy(folder, ".");
}

bool vsm_naming_same_file(const char *a, const char *b)
{
    char folder_a[PATH_MAX], folder_b[PATH_MAX];

    if (strcmp(a, b) == 0 || same_inode(a, b))
        return true;
    if (strcmp(split(a).name, split(b).name) != 0)
        return false;
    folder_of(a, folder_a);
    folder_of(b, folder_b);
    return same_inode(folder_a, folder_b);
}

int vsm_naming_check(const char *input, const char *output)
{
    if (!vsm_naming_same_file(input, output))
        return VSM_OK;
    return vsm_fail(VSM_E_USAGE, "%s: the output is the input itself; choose another name with --output",
                    output);
}
