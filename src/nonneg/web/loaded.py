"""What the processes of jobs load once, for all of them: importing this module is its use."""

import nonneg.apps.images
import nonneg.apps.metagenes
import nonneg.apps.recommend
import nonneg.apps.talk
import nonneg.apps.topics
import nonneg.estimators
import nonneg.models
import nonneg.web.reading  # noqa: F401
