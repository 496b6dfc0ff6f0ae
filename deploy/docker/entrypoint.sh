#!/usr/bin/env bash
# Entrypoint of the image with a shell: runs a command, such as `kong docker-start`, in place of this shell.
#
# A variable KONG_NAME_FILE names a file, such as a Docker secret, whose text becomes the value of KONG_NAME; MYNAH_
# likewise. (KONG_NGINX_..._FILE are names of files in their own right.)
set -euo pipefail

while IFS= read -r variable; do
  name=${variable%_FILE}
  if [[ $variable == KONG_NGINX_* || -n ${!name:-} ]]; then
    continue
  fi
  if [[ ! -r ${!variable} ]]; then
    echo "error: $variable: cannot read ${!variable}" >&2
    exit 1
  fi
  export "$name=$(<"${!variable}")"
  unset "$variable"
done < <(compgen -e | grep -E '^(KONG|MYNAH)_.+_FILE$' || true)

if [[ $# -eq 0 ]]; then
  set -- kong docker-start
elif [[ $1 == -* ]]; then
  set -- kong docker-start "$@"
fi
exec "$@"
