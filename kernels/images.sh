#!/bin/sh
# images.sh BIN2C IMAGE.fatbin… - write the images as C: kernel_images[] of kernels.h.
set -e
bin2c=$1
shift
echo '/* Made by kernels/images.sh. */'
echo '#include <stddef.h>'
echo '#include "kernels/kernels.h"'
for image in "$@"; do
    "$bin2c" --const --static --padd 0 --type longlong --name "image_$(basename "$image" .fatbin)" "$image"
done
echo 'const struct kernel_image kernel_images[] = {'
for image in "$@"; do
    name=$(basename "$image" .fatbin)
    echo "    {\"$name\", image_$name},"
done
echo '    {NULL, NULL},'
echo '};'
