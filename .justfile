# `just` lists these. Each is one line that also works without just, from the checkout's folder.

# list the tasks
default:
    @just --list --justfile {{ justfile() }}

# style, types, imports, every test
test *arguments:
    sh tests/run.sh {{ arguments }}

# the scripted day on a real Kafka
demo *arguments:
    sh deploy/demo.sh {{ arguments }}

# mend what the style check can mend
format:
    . deploy/setup.sh && ruff check --fix . && ruff format .

# JSON Schema, AsyncAPI and examples, made anew from the models
schemas:
    . deploy/setup.sh && python -m schemas.export

# known faults in what the lock pins
audit:
    . deploy/setup.sh && pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock
