"""Places an order through SQLAlchemy models of the tracking tables, as the web
plugin and the scripts do, and polls until it is complete."""

import datetime
import json
import sys
import time
import uuid

from sqlalchemy import JSON, Column, DateTime, ForeignKey, Integer, String, Text, create_engine
from sqlalchemy.orm import declarative_base, relationship, sessionmaker

Base = declarative_base()


class Preprocessing(Base):
    __tablename__ = "imports_preprocessing"
    id = Column(Integer, primary_key=True)
    container = Column(String, nullable=False)
    input_file = Column(String, nullable=False)
    output_folder = Column(String, nullable=False)
    alt_output_folder = Column(String)
    extra_params = Column(JSON)


class Import(Base):
    __tablename__ = "imports"
    id = Column(Integer, primary_key=True)
    group_name = Column(String, nullable=False)
    user_name = Column(String, nullable=False, index=True)
    destination_id = Column(String, nullable=False)
    destination_type = Column(String, nullable=False)
    stage = Column(String, nullable=False)
    uuid = Column(String(36), nullable=False)
    timestamp = Column(DateTime(timezone=True), default=lambda: datetime.datetime.now(datetime.timezone.utc))
    _files = Column("files", Text, nullable=False)
    _file_names = Column("file_names", Text)
    import_options = Column(Text)
    description = Column(Text)
    preprocessing_id = Column(Integer, ForeignKey("imports_preprocessing.id"))
    preprocessing = relationship("Preprocessing")


def main(url, paths):
    engine = create_engine(url)
    Base.metadata.create_all(engine)  # finds its tables there
    session = sessionmaker(bind=engine)()
    order = str(uuid.uuid4())
    session.add(Import(
        group_name="Demo", user_name="ada", destination_id="151", destination_type="Dataset",
        stage="Import Pending", uuid=order, _files=json.dumps(paths), _file_names=json.dumps([]),
    ))
    session.commit()
    for _ in range(600):
        newest = (session.query(Import).filter_by(uuid=order)
                  .order_by(Import.timestamp.desc(), Import.id.desc()).first())
        if newest.stage in ("Import Completed", "Import Failed"):
            rows = session.query(Import).filter_by(uuid=order).order_by(Import.timestamp).all()
            print(json.dumps({"stages": [r.stage for r in rows], "names": newest._file_names,
                              "files": json.loads(newest._files), "description": newest.description}))
            return 0
        session.rollback()  # a new snapshot
        time.sleep(0.1)
    print("the order did not end", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
